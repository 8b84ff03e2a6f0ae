//! OTLP/JSON into the protobuf messages: our own decoder.
//!
//! The crate's serde support loses whole metrics silently and refuses valid documents, so this
//! one follows the proto3 JSON mapping with OTLP's exceptions (hex ids, integer enums), straight from text into
//! the messages, with no tree in between. Where the mapping leaves room it is lenient, but content it cannot
//! read is an error that names the field, never a hole.
//!
//! Limits: the same 100 nested messages as the protobuf decoder, so one message is accepted in both encodings
//! or in neither; 100 nested containers in unknown fields; bounded error texts.

mod base64;
mod logs;
mod metrics;
pub(super) mod number;
mod reader;
mod traces;
mod values;
mod writer;

pub(super) use logs::logs_request;
pub(super) use metrics::metrics_request;
pub(super) use traces::traces_request;
pub(super) use writer::{logs_text, metrics_text, traces_text};

use super::Malformed;
pub(super) use reader::{Parsed, Reader};

/// Reads a whole body as one message.
pub(super) fn decode<T>(
    body: &[u8],
    message: impl FnOnce(&mut Reader<'_>) -> Parsed<T>,
) -> Result<T, Malformed> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Malformed::new(
            "",
            &format!("the body is not UTF-8 at byte {}", error.valid_up_to()),
        )
    })?;
    read(text, message)
}

/// Reads a whole text.
pub(super) fn read<T>(
    text: &str,
    message: impl FnOnce(&mut Reader<'_>) -> Parsed<T>,
) -> Result<T, Malformed> {
    let mut reader = Reader::new(text);
    let whole = message(&mut reader).and_then(|value| reader.finish().map(|()| value));
    whole.map_err(|fault| Malformed::new(&fault.path, &fault.description))
}

/// One message's fields by their lowerCamelCase names. `null` is unset; a field given twice, or two members of
/// one oneof, is an error, for one of the two would be lost; unknown fields are skipped.
macro_rules! fields {
    ($reader:ident, $target:expr, { $($key:literal => $field:ident = $parse:expr,)* }
        $(one of $oneof:ident { $($member:literal => $member_parse:expr,)* })?) => {{
        #[derive(Default)]
        struct Seen {
            $($field: bool,)*
            $($oneof: bool,)?
        }
        let mut seen = Seen::default();
        let target = &mut $target;
        $reader.message(|$reader, key| {
            match key {
                $($key => {
                    if !$reader.null()? {
                        $reader.once(&mut seen.$field)?;
                        target.$field = $parse;
                    }
                })*
                $($($member => {
                    if !$reader.null()? {
                        $reader.once(&mut seen.$oneof)?;
                        target.$oneof = Some($member_parse);
                    }
                })*)?
                _ => $reader.skip()?,
            }
            Ok(())
        })?;
    }};
}
pub(super) use fields;
