import { type DataType, Field, FixedSizeList } from "apache-arrow";

export function fixedSizeList(item: DataType, size: number): DataType {
  return new FixedSizeList(size, new Field("item", item, false));
}
