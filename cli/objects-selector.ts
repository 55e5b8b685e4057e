// kubectl's label selectors: `app=web,tier!=db,env in (a,b),env notin (c),part,!part`.
import { err, ok, type Result } from '../lib/result.ts';

export type Labels = Readonly<Record<string, string>>;

/** Whether labels are selected. */
export type LabelMatcher = (labels: Labels) => boolean;

const KEY = '[A-Za-z0-9][-A-Za-z0-9_./]*';
const VALUE = '[-A-Za-z0-9_.]*';
const FORMS: readonly { readonly form: RegExp; readonly matcher: (key: string, value: string) => LabelMatcher }[] = [
  {
    form: new RegExp(`^(${KEY})\\s+in\\s+\\(([^()]*)\\)$`),
    matcher: (key, value) => (labels) => listOf(value).includes(labels[key] ?? NOTHING),
  },
  {
    form: new RegExp(`^(${KEY})\\s+notin\\s+\\(([^()]*)\\)$`),
    matcher: (key, value) => (labels) => !listOf(value).includes(labels[key] ?? NOTHING),
  },
  {
    form: new RegExp(`^(${KEY})\\s*!=\\s*(${VALUE})$`),
    matcher: (key, value) => (labels) => labels[key] !== value,
  },
  {
    form: new RegExp(`^(${KEY})\\s*==?\\s*(${VALUE})$`),
    matcher: (key, value) => (labels) => labels[key] === value,
  },
  { form: new RegExp(`^!\\s*(${KEY})()$`), matcher: (key) => (labels) => !Object.hasOwn(labels, key) },
  { form: new RegExp(`^(${KEY})()$`), matcher: (key) => (labels) => Object.hasOwn(labels, key) },
];

/** No label value: it stands for an absent label. */
const NOTHING = '\0';

/** All requirements must hold; an empty text selects everything. */
export function parseLabelSelector(text: string): Result<LabelMatcher> {
  const matchers: LabelMatcher[] = [];
  for (const part of text.split(/,(?![^(]*\))/).map((piece) => piece.trim())) {
    if (part === '' && text.trim() === '') continue;
    const matcher = matcherOf(part);
    if (matcher === undefined) {
      return err(
        `Cannot parse label selector "${text}": "${part}", expected such as "app=web", "app in (a,b)" or "!app"`,
      );
    }
    matchers.push(matcher);
  }
  return ok((labels) => matchers.every((matches) => matches(labels)));
}

function matcherOf(part: string): LabelMatcher | undefined {
  for (const { form, matcher } of FORMS) {
    const match = form.exec(part);
    if (match !== null) return matcher(match[1] ?? '', match[2] ?? '');
  }
  return undefined;
}

const listOf = (text: string): readonly string[] => text.split(',').map((value) => value.trim());
