//! Primitives as the elements of lists.

use super::{Reader, Writer};
use crate::message::Fields;
use crate::{Str, Uuid};

macro_rules! elements {
    ($($type:ty, $size:expr, $read:ident, $write:ident;)*) => {
        $(impl Fields for $type {
            const MIN_SIZE: usize = $size;

            fn read(reader: &mut Reader, _version: i16) -> Self {
                reader.$read()
            }

            fn write(&self, writer: &mut Writer, _version: i16) {
                writer.$write(*self);
            }
        })*
    };
}

elements! {
    bool, 1, read_bool, write_bool;
    i8, 1, read_i8, write_i8;
    i16, 2, read_i16, write_i16;
    i64, 8, read_i64, write_i64;
    Uuid, 16, read_uuid, write_uuid;
}

impl Fields for Str {
    const MIN_SIZE: usize = 1;

    fn read(reader: &mut Reader, _version: i16) -> Self {
        reader.read_string()
    }

    fn write(&self, writer: &mut Writer, _version: i16) {
        writer.write_string(self);
    }
}
