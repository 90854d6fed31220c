// What a token or a user may do, as a part of a form.

import type { JSX } from "preact";
import { Check, Text } from "./parts";
import { errorAt } from "./problems";
import { scopes } from "./types";
import type { Scope } from "./types";

interface Props {
  chosen: Scope[];
  onChosen: (chosen: Scope[]) => void;
  sources: string; // One a line.
  onSources: (sources: string) => void;
  problem: unknown;
}

export function Rights({ chosen, onChosen, sources, onSources, problem }: Props): JSX.Element {
  const error = errorAt(problem, "scopes");
  return (
    <>
      <fieldset>
        <legend>May do</legend>
        {scopes.map(([scope, text]) => (
          <Check
            key={scope}
            label={`${scope}: ${text}`}
            checked={chosen.includes(scope)}
            onChange={(checked) => onChosen(checked ? [...chosen, scope] : chosen.filter((each) => each !== scope))}
          />
        ))}
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
      </fieldset>
      <Text label="Sources" rows={2} code value={sources} onInput={onSources} hint="One a line, exact or with a * at the end, as in app/*. Empty: all." error={errorAt(problem, "sources")} />
    </>
  );
}
