# The image of a worker (and of every other `moraine` command). Build: docker build -t moraine .
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24.21.0-bookworm-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates tini \
  && rm -rf /var/lib/apt/lists/*
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
RUN ln -s /app/dist/cli/main.js /usr/local/bin/moraine \
  && mkdir -p /project && chown node:node /project
USER node
# The project's folder, with moraine.yaml in it, is mounted here.
WORKDIR /project
# tini passes SIGTERM on: the worker takes no new work, finishes what it has, and ends.
ENTRYPOINT ["tini", "--", "moraine"]
CMD ["worker"]
