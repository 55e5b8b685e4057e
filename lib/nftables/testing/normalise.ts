// Brings two listings of a table to one form: the order of blocks and elements, line breaks and counts carry no meaning.

export function normaliseListing(text: string): readonly string[] {
  const blocks = text
    .replace(/^table inet \S+ \{\n/, '')
    .replace(/\}\s*$/, '')
    .replace(/packets \d+ bytes \d+ ?/g, '')
    .split(/\n\t\}\n?/)
    .map((block) => block.replace(/\s+/g, ' ').trim())
    .filter((block) => block !== '');
  return blocks.map((block) => block.replace(/\{ ([^{}]*) \}/g, (_, list: string) => `{ ${sorted(list)} }`)).sort();
}

const sorted = (list: string): string =>
  list
    .split(',')
    .map((item) => item.trim())
    .sort()
    .join(', ');
