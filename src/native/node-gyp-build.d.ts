declare module 'node-gyp-build' {
  /** Loads the addon of the package in `root`: build/Release first, then a prebuilt one that fits the host. */
  export default function load(root: string): unknown;
}
