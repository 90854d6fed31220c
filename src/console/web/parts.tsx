// What pages are made of.

import type { ComponentChildren, JSX } from "preact";
import { useContext, useEffect, useId, useRef, useState } from "preact/hooks";
import { sentence } from "./api";
import { exact, relative } from "./format";
import { AwayContext } from "./session";
import type { State, Status } from "./types";

type Children = { children?: ComponentChildren };

/// A page's heading; also the document's title, and where a screen reader goes on reading.
export function Heading({ title, children }: { title: string } & Children): JSX.Element {
  const heading = useRef<HTMLHeadingElement>(null);
  const away = useContext(AwayContext);
  useEffect(() => {
    if (away) return;
    document.title = `${title} · ringpost`;
    heading.current?.focus();
  }, [title, away]);
  return (
    <div class="heading">
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      <div class="actions">{children}</div>
    </div>
  );
}

export function Problem({ problem }: { problem: unknown }): JSX.Element | null {
  if (!problem) return null;
  return (
    <p class="notice bad" role="alert">
      {sentence(problem)}
    </p>
  );
}

export function Notice({ kind = "", children }: { kind?: string } & Children): JSX.Element {
  return (
    <div class={`notice ${kind}`} role="status">
      {children}
    </div>
  );
}

export function Empty({ children }: Children): JSX.Element {
  return <div class="empty">{children}</div>;
}

export function Loading(): JSX.Element {
  return (
    <p class="quiet" role="status">
      Loading …
    </p>
  );
}

export function Time({ at }: { at: string | null }): JSX.Element {
  if (at === null) return <span class="quiet">–</span>;
  return (
    <time dateTime={at} title={exact(at)}>
      {relative(at)}
    </time>
  );
}

const marks: Record<Status, { mark: string; kind: string; text: string }> = {
  delivered: { mark: "✓", kind: "good", text: "delivered" },
  dead: { mark: "▲", kind: "bad", text: "failed" },
  pending: { mark: "◷", kind: "waits", text: "pending" },
  in_flight: { mark: "➤", kind: "waits", text: "being sent" },
  cancelled: { mark: "–", kind: "off", text: "cancelled" },
};

/// @param failing  an attempt has failed already, and there will be another.
export function StatusMark({ status, failing = false }: { status: Status; failing?: boolean }): JSX.Element {
  const { mark, kind, text } = marks[status];
  const retries = status === "pending" && failing;
  return (
    <span class={`mark ${retries ? "warn" : kind}`}>
      <span aria-hidden="true">{retries ? "▲" : mark}</span> {retries ? "will be retried" : text}
    </span>
  );
}

export function StateMark({ state }: { state: State }): JSX.Element {
  const kind = { active: "good", disabled: "off", broken: "bad" }[state];
  const mark = { active: "✓", disabled: "–", broken: "▲" }[state];
  return (
    <span class={`mark ${kind}`}>
      <span aria-hidden="true">{mark}</span> {state}
    </span>
  );
}

interface ButtonProps extends Children {
  onClick?: () => void;
  kind?: "main" | "danger" | "";
  busy?: boolean;
  submit?: boolean;
}

export function Button({ onClick, kind = "", busy = false, submit = false, children }: ButtonProps): JSX.Element {
  return (
    <button type={submit ? "submit" : "button"} class={kind} onClick={onClick} disabled={busy} aria-busy={busy}>
      {children}
    </button>
  );
}

/// Copies where the browser allows that: over TLS, and on this machine.
export function Copy({ text, label }: { text: string; label: string }): JSX.Element {
  const [said, setSaid] = useState("");
  const copy = () => {
    const copied = navigator.clipboard?.writeText(text) ?? Promise.reject(new Error());
    copied.then(
      () => setSaid("Copied."),
      () => setSaid("This browser does not let pages copy here; select the text instead."),
    );
  };
  return (
    <span class="copy">
      <Button onClick={copy}>{label}</Button> <span role="status">{said}</span>
    </span>
  );
}

/// Text that is shown once, to be copied.
export function Once({ name, text, children }: { name: string; text: string } & Children): JSX.Element {
  const id = useId();
  return (
    <div class="notice once" role="status">
      <label for={id}>{name}</label>
      <p>{children}</p>
      <input id={id} class="code" readOnly value={text} onFocus={(event) => event.currentTarget.select()} />
      <Copy text={text} label="Copy" />
    </div>
  );
}

interface ConfirmProps extends Children {
  title: string;
  action: string;
  danger?: boolean;
  busy: boolean;
  problem: unknown;
  onConfirm: () => void;
  onClose: () => void;
}

/// Asks before something that cannot be taken back. Escape closes it, and so does the end of the session: it would lie over everything.
export function Confirm({ title, action, danger, busy, problem, onConfirm, onClose, children }: ConfirmProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const away = useContext(AwayContext);
  useEffect(() => {
    if (away) onClose();
  }, [away]);
  const confirm = (event: SubmitEvent) => {
    event.preventDefault();
    onConfirm();
  };
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={onClose}>
      <form onSubmit={confirm}>
        <h2 id={id}>{title}</h2>
        {children}
        <Problem problem={problem} />
        <div class="actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button submit kind={danger ? "danger" : "main"} busy={busy}>
            {action}
          </Button>
        </div>
      </form>
    </dialog>
  );
}

export interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  error?: string;
}

/// A label, its control, a hint and what is wrong, tied together for screen readers.
export function Field({ label, hint, error, children }: FieldProps & { children: (attributes: ControlAttributes) => ComponentChildren }): JSX.Element {
  const id = useId();
  const described = [hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter((each) => each !== "").join(" ");
  return (
    <div class={error ? "field wrong" : "field"}>
      <label for={id}>{label}</label>
      {children({ id, "aria-describedby": described || undefined, "aria-invalid": error ? "true" : undefined })}
      {hint && (
        <div class="hint" id={`${id}-hint`}>
          {hint}
        </div>
      )}
      {error && (
        <div class="error" id={`${id}-error`}>
          {error}
        </div>
      )}
    </div>
  );
}

export interface ControlAttributes {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": "true" | undefined;
}

interface TextProps extends FieldProps {
  value: string;
  onInput: (value: string) => void;
  onEnd?: () => void; // The field is left, or Enter was pressed.
  rows?: number; // Of a field with several lines.
  code?: boolean;
  type?: "text" | "search" | "password" | "number" | "url" | "datetime-local";
  complete?: "username" | "current-password" | "new-password"; // What a password manager may do with it.
  required?: boolean;
}

export function Text({ value, onInput, onEnd, rows, code, type = "text", complete, required, ...field }: TextProps): JSX.Element {
  const common = { class: code ? "code" : undefined, spellcheck: false, value };
  return (
    <Field {...field}>
      {(attributes) =>
        rows ? (
          <textarea {...attributes} {...common} rows={rows} onInput={(event) => onInput(event.currentTarget.value)} />
        ) : (
          <input {...attributes} {...common} type={type as "text"} required={required} autoComplete={complete ?? "off"} onChange={onEnd} onInput={(event) => onInput(event.currentTarget.value)} />
        )
      }
    </Field>
  );
}

interface ChoiceProps extends FieldProps {
  value: string;
  onChange: (value: string) => void;
  options: readonly (readonly [value: string, text: string])[];
}

export function Choice({ value, onChange, options, ...field }: ChoiceProps): JSX.Element {
  return (
    <Field {...field}>
      {(attributes) => (
        <select {...attributes} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          {options.map(([each, text]) => (
            <option key={each} value={each} selected={each === value}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function Check({ label, checked, onChange, hint }: { label: string; checked: boolean; onChange: (checked: boolean) => void; hint?: string }): JSX.Element {
  const id = useId();
  return (
    <div class="field check">
      <input id={id} type="checkbox" checked={checked} aria-describedby={hint ? `${id}-hint` : undefined} onChange={(event) => onChange(event.currentTarget.checked)} />
      <label for={id}>{label}</label>
      {hint && (
        <div class="hint" id={`${id}-hint`}>
          {hint}
        </div>
      )}
    </div>
  );
}

/// A table that scrolls by itself where the window is narrow.
export function Table({ caption, columns, children }: { caption: string; columns: string[] } & Children): JSX.Element {
  return (
    <div class="table" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/// Facts in two columns.
export function Facts({ facts }: { facts: [string, ComponentChildren][] }): JSX.Element {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
