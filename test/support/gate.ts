/** Where the code under test waits until the test lets it go on. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
  isOpen(): boolean;
}

export function gate(): Gate {
  let isOpen = false;
  let resolveOpened = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    resolveOpened = resolve;
  });
  const open = (): void => {
    isOpen = true;
    resolveOpened();
  };
  return { opened, open, isOpen: () => isOpen };
}
