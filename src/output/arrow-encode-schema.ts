import { Binary } from "apache-arrow/fb/binary";
import { Bool } from "apache-arrow/fb/bool";
import { Date as ArrowDate } from "apache-arrow/fb/date";
import { Decimal } from "apache-arrow/fb/decimal";
import { DictionaryEncoding } from "apache-arrow/fb/dictionary-encoding";
import { Duration } from "apache-arrow/fb/duration";
import { Field as FieldTable } from "apache-arrow/fb/field";
import { FixedSizeBinary } from "apache-arrow/fb/fixed-size-binary";
import { FixedSizeList } from "apache-arrow/fb/fixed-size-list";
import { FloatingPoint } from "apache-arrow/fb/floating-point";
import { Int } from "apache-arrow/fb/int";
import { Interval } from "apache-arrow/fb/interval";
import { KeyValue } from "apache-arrow/fb/key-value";
import { LargeBinary } from "apache-arrow/fb/large-binary";
import { LargeList } from "apache-arrow/fb/large-list";
import { LargeUtf8 } from "apache-arrow/fb/large-utf8";
import { List } from "apache-arrow/fb/list";
import { Null } from "apache-arrow/fb/null";
import { Schema } from "apache-arrow/fb/schema";
import { Struct_ as Struct } from "apache-arrow/fb/struct-";
import { Time } from "apache-arrow/fb/time";
import { Timestamp } from "apache-arrow/fb/timestamp";
import { Type } from "apache-arrow/fb/type";
import { Utf8 } from "apache-arrow/fb/utf8";
import type { Builder } from "flatbuffers";
import type { ArrowType, Field } from "../arrow/field.js";
import { InternalError } from "../errors.js";
import type { KeyValues } from "./arrow-encode.js";

/** A Schema table; returns its offset in the builder. */
export function encodeSchema(
  builder: Builder,
  fields: Field[],
  metadata: KeyValues,
): number {
  const children = fields.map((field) => encodeField(builder, field));
  const fieldsVector = Schema.createFieldsVector(builder, children);
  const pairs = encodeKeyValues(builder, metadata);
  Schema.startSchema(builder);
  Schema.addFields(builder, fieldsVector);
  if (pairs) Schema.addCustomMetadata(builder, pairs);
  return Schema.endSchema(builder);
}

function encodeField(builder: Builder, field: Field): number {
  const name = builder.createString(field.name);
  const [typeType, type] = encodeType(builder, field.type);
  const dictionary = encodeDictionary(builder, field);
  const children = FieldTable.createChildrenVector(
    builder,
    field.children.map((child) => encodeField(builder, child)),
  );
  const metadata = encodeKeyValues(builder, field.metadata);
  FieldTable.startField(builder);
  FieldTable.addName(builder, name);
  FieldTable.addNullable(builder, field.nullable);
  FieldTable.addTypeType(builder, typeType);
  FieldTable.addType(builder, type);
  if (dictionary) FieldTable.addDictionary(builder, dictionary);
  FieldTable.addChildren(builder, children);
  if (metadata) FieldTable.addCustomMetadata(builder, metadata);
  return FieldTable.endField(builder);
}

function encodeDictionary(builder: Builder, { dictionary }: Field): number {
  if (!dictionary) return 0;
  const [, indexType] = encodeType(builder, dictionary.indexType);
  DictionaryEncoding.startDictionaryEncoding(builder);
  DictionaryEncoding.addId(builder, BigInt(dictionary.id));
  DictionaryEncoding.addIndexType(builder, indexType);
  DictionaryEncoding.addIsOrdered(builder, dictionary.ordered);
  return DictionaryEncoding.endDictionaryEncoding(builder);
}

function encodeKeyValues(builder: Builder, pairs: KeyValues): number {
  if (pairs.length === 0) return 0;
  const offsets = pairs.map(([key, value]) => {
    const k = builder.createString(key);
    const v = builder.createString(value);
    return KeyValue.createKeyValue(builder, k, v);
  });
  return Schema.createCustomMetadataVector(builder, offsets);
}

/** The types that an output can hold: those of results, and of columns that can be kept. */
function encodeType(
  builder: Builder,
  type: ArrowType,
): [type: Type, offset: number] {
  switch (type.kind) {
    case "Int":
      return [Type.Int, Int.createInt(builder, type.bitWidth, type.signed)];
    case "FloatingPoint":
      return [
        Type.FloatingPoint,
        FloatingPoint.createFloatingPoint(builder, type.precision),
      ];
    case "FixedSizeList":
      return [
        Type.FixedSizeList,
        FixedSizeList.createFixedSizeList(builder, type.listSize),
      ];
    case "List":
      List.startList(builder);
      return [Type.List, List.endList(builder)];
    case "LargeList":
      LargeList.startLargeList(builder);
      return [Type.LargeList, LargeList.endLargeList(builder)];
    case "Struct":
      Struct.startStruct_(builder);
      return [Type.Struct_, Struct.endStruct_(builder)];
    case "Null":
      Null.startNull(builder);
      return [Type.Null, Null.endNull(builder)];
    case "FixedSizeBinary":
      return [
        Type.FixedSizeBinary,
        FixedSizeBinary.createFixedSizeBinary(builder, type.byteWidth),
      ];
    case "Decimal":
      return [
        Type.Decimal,
        Decimal.createDecimal(
          builder,
          type.precision,
          type.scale,
          type.bitWidth,
        ),
      ];
    case "Date":
      return [Type.Date, ArrowDate.createDate(builder, type.unit)];
    case "Time":
      return [Type.Time, Time.createTime(builder, type.unit, type.bitWidth)];
    case "Timestamp": {
      const zone =
        type.timezone === null ? 0 : builder.createString(type.timezone);
      return [
        Type.Timestamp,
        Timestamp.createTimestamp(builder, type.unit, zone),
      ];
    }
    case "Interval":
      return [Type.Interval, Interval.createInterval(builder, type.unit)];
    case "Duration":
      return [Type.Duration, Duration.createDuration(builder, type.unit)];
    case "Bool":
      Bool.startBool(builder);
      return [Type.Bool, Bool.endBool(builder)];
    case "Utf8":
      Utf8.startUtf8(builder);
      return [Type.Utf8, Utf8.endUtf8(builder)];
    case "LargeUtf8":
      LargeUtf8.startLargeUtf8(builder);
      return [Type.LargeUtf8, LargeUtf8.endLargeUtf8(builder)];
    case "Binary":
      Binary.startBinary(builder);
      return [Type.Binary, Binary.endBinary(builder)];
    case "LargeBinary":
      LargeBinary.startLargeBinary(builder);
      return [Type.LargeBinary, LargeBinary.endLargeBinary(builder)];
    default:
      throw new InternalError(`no output column has type ${type.kind}`);
  }
}
