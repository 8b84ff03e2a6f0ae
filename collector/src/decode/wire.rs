//! Protobuf bytes straight into columns, without the message structs between.
//!
//! Decoding into structs allocates for every string and list, which is most of the cost of a span. This reader
//! borrows from the body instead. It knows the plain cases only: whatever is odd (a singular message given
//! twice, which would have to be merged; a group; nesting near the limit; anything malformed) ends it with
//! [`Unusual`], and the caller decodes the whole body through the structs, whose answer is then the one that
//! counts. So it can be fast without being another opinion on what is valid; a property test holds both equal.

mod spans;
mod values;

pub(super) use spans::traces;

/// Not for this reader; says nothing about whether the body is valid.
#[derive(Debug)]
pub(super) struct Unusual;

type Read<T> = Result<T, Unusual>;

/// A field's value as the wire has it.
#[derive(Clone, Copy)]
enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// The fields of one message.
#[derive(Clone, Copy)]
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field's number and value; `None` at the end.
    fn next(&mut self) -> Read<Option<(u32, Field<'a>)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| Unusual)?;
        if number == 0 {
            return Err(Unusual);
        }
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Unusual)?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Unusual),
        };
        Ok(Some((number, field)))
    }

    fn varint(&mut self) -> Read<u64> {
        let mut value = 0_u64;
        for (at, byte) in self.rest.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if at == 9 && bits > 1 {
                return Err(Unusual);
            }
            value |= bits << (7 * at);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(Unusual)
    }

    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Unusual)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Unusual)
    }
}

impl<'a> Field<'a> {
    fn bytes(self) -> Read<&'a [u8]> {
        if let Self::Bytes(bytes) = self {
            Ok(bytes)
        } else {
            Err(Unusual)
        }
    }

    fn text(self) -> Read<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Unusual)
    }

    fn varint(self) -> Read<u64> {
        if let Self::Varint(value) = self {
            Ok(value)
        } else {
            Err(Unusual)
        }
    }

    /// `int32`, enums: the low 32 bits, as protobuf has it.
    fn int32(self) -> Read<i32> {
        Ok(self.varint()? as i32)
    }

    fn uint32(self) -> Read<u32> {
        Ok(self.varint()? as u32)
    }

    fn fixed64(self) -> Read<u64> {
        if let Self::Fixed64(value) = self {
            Ok(value)
        } else {
            Err(Unusual)
        }
    }

    fn fixed32(self) -> Read<u32> {
        if let Self::Fixed32(value) = self {
            Ok(value)
        } else {
            Err(Unusual)
        }
    }
}

/// Sets a singular message; twice would be a merge.
fn set_once<'a>(slot: &mut Option<&'a [u8]>, field: Field<'a>) -> Read<()> {
    match slot.replace(field.bytes()?) {
        None => Ok(()),
        Some(_) => Err(Unusual),
    }
}
