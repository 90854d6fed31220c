// Values that come from the relay, and come again.

import { useCallback, useContext, useEffect, useRef, useState } from "preact/hooks";
import { sentence } from "./api";
import { AwayContext, SessionContext } from "./session";

export interface Loaded<Value> {
  value: Value | null;
  problem: string;
  busy: boolean;
  reload: () => void;
  set: (value: Value) => void;
}

/// Loads when the page appears, and again when one of `reasons` changes or somebody signs in again; what
/// is loaded stays to be seen meanwhile. @param load  is to stop when its signal says so.
export function useLoaded<Value>(load: (signal: AbortSignal) => Promise<Value>, reasons: unknown[]): Loaded<Value> {
  const [value, setValue] = useState<Value | null>(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(true);
  const [again, setAgain] = useState(0);
  const session = useContext(SessionContext);
  useEffect(() => {
    const controller = new AbortController();
    setBusy(true);
    Promise.resolve()
      .then(() => load(controller.signal))
      .then((loaded) => {
        if (controller.signal.aborted) return;
        setValue(() => loaded);
        setProblem("");
      })
      .catch((error) => {
        if (!controller.signal.aborted) setProblem(sentence(error));
      })
      .finally(() => {
        if (!controller.signal.aborted) setBusy(false);
      });
    return () => controller.abort();
  }, [...reasons, again, session]);
  const reload = useCallback(() => setAgain((count) => count + 1), []);
  return { value, problem, busy, reload, set: (fresh) => setValue(() => fresh) };
}

/// Calls `tick` every so many milliseconds, while the page is in view and somebody is signed in.
export function useEvery(interval: number, tick: () => void): void {
  const latest = useRef(tick);
  latest.current = tick;
  const away = useContext(AwayContext);
  useEffect(() => {
    if (away) return;
    const run = () => {
      if (document.visibilityState === "visible") latest.current();
    };
    const timer = setInterval(run, interval);
    return () => clearInterval(timer);
  }, [interval, away]);
}

/// One change at a time: `run` calls it, `busy` says that it is under way, `problem` why it failed.
export function useAction(): { busy: boolean; problem: unknown; run: (work: () => Promise<void>) => void; clear: () => void } {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const run = (work: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setProblem(null);
    work().catch(setProblem).finally(() => setBusy(false));
  };
  return { busy, problem, run, clear: () => setProblem(null) };
}
