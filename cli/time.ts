export { formatTimeUs, parseTimeUs } from '../config/index.js';
