/**
 * For the environment of tests with servers and engines in Java: in the minutes that one lives, compilers and collectors that are made for
 * weeks take more of the processor than what is tested.
 */
export const SHORT_LIVED_JAVA = { JDK_JAVA_OPTIONS: '-XX:+UseSerialGC -XX:TieredStopAtLevel=1' };
