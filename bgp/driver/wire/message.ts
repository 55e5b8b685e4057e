// Messages as tables of fields: one table gives encoder, decoder and types. Semantics are proto3's: a field that holds
// its default is not sent, an absent one reads as its default, unknown fields are passed over.
import { createReader, type Reader, WireError } from './reader.ts';
import { createWriter, WIRE, type Writer } from './writer.ts';

/** One field. `In` is what the encoder takes, `Out` what the decoder gives. */
export type Field<In, Out> = {
  readonly id: number;
  readonly write: (writer: Writer, value: In) => void;
  /** The value when no such field came. */
  readonly initial: () => Out;
  /**
   * Reads one occurrence; `before` is what earlier ones gave. A method, so that fields of all types fit one table.
   * @throws WireError
   */
  read(reader: Reader, wire: number, before: Out): Out;
};

type Fields = Readonly<Record<string, Field<never, unknown>>>;
/** What the encoder of a table takes; what is left out is not sent. */
export type Input<F> = { readonly [K in keyof F]?: F[K] extends Field<infer In, infer _> ? In | undefined : never };
/** What the decoder of a table gives. */
export type Output<F> = { readonly [K in keyof F]: F[K] extends Field<infer _, infer Out> ? Out : never };

/** The table of a message type. */
export type FieldsOf<M> = M extends Message<infer F> ? F : never;

export type Message<F> = {
  readonly encode: (value: Input<F>) => Uint8Array;
  /** @throws WireError */
  readonly decode: (bytes: Uint8Array) => Output<F>;
};

export function message<const F extends Fields>(fields: F): Message<F> {
  const names = Object.keys(fields);
  const byId = new Map<number, string>(names.map((name) => [fieldOf(fields, name).id, name]));
  return {
    encode: (value) => {
      const writer = createWriter();
      for (const name of names) {
        const content = (value as Readonly<Record<string, unknown>>)[name];
        if (content !== undefined) fieldOf(fields, name).write(writer, content);
      }
      return writer.finish();
    },
    decode: (bytes) => {
      const reader = createReader(bytes);
      const out: Record<string, unknown> = {};
      for (const name of names) out[name] = fieldOf(fields, name).initial();
      while (!reader.done()) {
        const { field: id, wire } = reader.tag();
        const name = byId.get(id);
        if (name === undefined) reader.skip(wire);
        else out[name] = fieldOf(fields, name).read(reader, wire, out[name]);
      }
      return out as Output<F>;
    },
  };
}

const text = new TextDecoder();
const utf8 = new TextEncoder();

/** uint32, uint64 up to 2^53 - 1, and enums. */
export const uint = (id: number): Field<number, number> =>
  scalar(
    id,
    WIRE.varint,
    0,
    (w, v) => w.varint(v),
    (r) => r.varint(),
  );
/** int32 and int64. */
export const int = (id: number): Field<number, number> =>
  scalar(
    id,
    WIRE.varint,
    0,
    (w, v) => w.varint(v),
    (r) => r.signed(),
  );
export const bool = (id: number): Field<boolean, boolean> =>
  scalar(
    id,
    WIRE.varint,
    false,
    (w, v) => w.varint(v ? 1 : 0),
    (r) => r.varint() !== 0,
  );
export const string = (id: number): Field<string, string> =>
  scalar(
    id,
    WIRE.bytes,
    '',
    (w, v) => w.bytes(utf8.encode(v)),
    (r) => text.decode(r.bytes()),
  );

/** A message inside a message; `undefined` when it did not come. */
export function nested<F>(id: number, of: Message<F>): Field<Input<F>, Output<F> | undefined> {
  return {
    id,
    write: (writer, value) => {
      writer.tag(id, WIRE.bytes);
      writer.bytes(of.encode(value));
    },
    initial: () => undefined,
    read: (reader, wire) => {
      expectWire(id, wire, WIRE.bytes);
      return of.decode(reader.bytes());
    },
  };
}

export function messages<F>(id: number, of: Message<F>): Field<readonly Input<F>[], readonly Output<F>[]> {
  const one = nested(id, of);
  return list<Input<F>, Output<F>>(id, one.write, (reader, wire) => {
    expectWire(id, wire, WIRE.bytes);
    return of.decode(reader.bytes());
  });
}

export function strings(id: number): Field<readonly string[], readonly string[]> {
  return list<string, string>(
    id,
    (writer, value) => {
      writer.tag(id, WIRE.bytes);
      writer.bytes(utf8.encode(value));
    },
    (reader, wire) => {
      expectWire(id, wire, WIRE.bytes);
      return text.decode(reader.bytes());
    },
  );
}

export function bytesList(id: number): Field<readonly Uint8Array[], readonly Uint8Array[]> {
  const one = bytes(id);
  return list<Uint8Array, Uint8Array>(id, one.write, (reader, wire) => {
    expectWire(id, wire, WIRE.bytes);
    return reader.bytes();
  });
}

/** Repeated uint32: sent packed, read packed or one by one. */
export function uints(id: number): Field<readonly number[], readonly number[]> {
  return {
    id,
    write: (writer, values) => {
      if (values.length === 0) return;
      const packed = createWriter();
      for (const value of values) packed.varint(value);
      writer.tag(id, WIRE.bytes);
      writer.bytes(packed.finish());
    },
    initial: () => [],
    read: (reader, wire, before) => {
      if (wire === WIRE.varint) return [...before, reader.varint()];
      expectWire(id, wire, WIRE.bytes);
      const packed = createReader(reader.bytes());
      const values = [...before];
      while (!packed.done()) values.push(packed.varint());
      return values;
    },
  };
}

/** `google.protobuf.Any`: a message together with its type's URL. */
export const any = message({ typeUrl: string(1), value: bytes(2) });

/** What is in it is encoded and decoded elsewhere. Read as a view into the message. */
export function bytes(id: number): Field<Uint8Array, Uint8Array> {
  return {
    id,
    write: (writer, value) => {
      writer.tag(id, WIRE.bytes);
      writer.bytes(value);
    },
    initial: () => new Uint8Array(),
    read: (reader, wire) => {
      expectWire(id, wire, WIRE.bytes);
      return reader.bytes();
    },
  };
}

function scalar<T>(
  id: number,
  wireType: number,
  zero: T,
  write: (writer: Writer, value: T) => void,
  read: (reader: Reader) => T,
): Field<T, T> {
  return {
    id,
    write: (writer, value) => {
      if (value === zero) return;
      writer.tag(id, wireType);
      write(writer, value);
    },
    initial: () => zero,
    read: (reader, wire) => {
      expectWire(id, wire, wireType);
      return read(reader);
    },
  };
}

function list<In, Out>(
  id: number,
  writeOne: (writer: Writer, value: In) => void,
  readOne: (reader: Reader, wire: number) => Out,
): Field<readonly In[], readonly Out[]> {
  return {
    id,
    write: (writer, values) => {
      for (const value of values) writeOne(writer, value);
    },
    initial: (): Out[] => [],
    // The array is this decoder's own until it is returned, so it may grow in place.
    read: (reader, wire, before) => {
      (before as Out[]).push(readOne(reader, wire));
      return before;
    },
  };
}

function expectWire(id: number, wire: number, expected: number): void {
  if (wire !== expected) throw new WireError(`Cannot read field ${id}: wire type ${wire}, expected ${expected}`);
}

// The one place where a table's precise types are set aside: inside the loops every field is just a field.
function fieldOf(fields: Fields, name: string): Field<unknown, unknown> {
  return fields[name] as unknown as Field<unknown, unknown>;
}
