//! Content codings of OTLP/HTTP, each under the size limit and the memory budget while it unpacks.
//!
//! Output grows in steps and each step is taken from the budget first, so a bomb costs at most the limit. The
//! zstd window and the length a snappy block declares are checked before anything is allocated for them.

use std::io::{self, Read};

use ::http::HeaderMap;
use ::http::header::CONTENT_ENCODING;
use bytes::Bytes;

use super::budget::Seat;
use super::refusal::Refusal;

/// Largest zstd window, as a power of two: 8 MiB, the bound RFC 9659 sets for HTTP.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// The stream identifier that begins a framed snappy stream.
const SNAPPY_FRAME_START: &[u8; 10] = b"\xff\x06\x00\x00sNaPpY";
/// How much is unpacked between two looks at limit and budget.
const STEP_BYTES: usize = 64 * 1024;

/// A content coding we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
    Zlib,
    Snappy,
    SnappyFramed,
    Lz4,
}

impl Coding {
    /// Reads `Content-Encoding`: names in any case, `identity` ignored, at most one real coding.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut coding = Self::Identity;
        for value in headers.get_all(CONTENT_ENCODING) {
            let value = value.to_str().map_err(|_| Refusal::UnknownCoding)?;
            for name in value.split(',').map(str::trim) {
                let next = Self::named(name).ok_or(Refusal::UnknownCoding)?;
                if next == Self::Identity {
                    continue;
                }
                if coding != Self::Identity {
                    return Err(Refusal::UnknownCoding);
                }
                coding = next;
            }
        }
        Ok(coding)
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Identity,
            "gzip" | "x-gzip" => Self::Gzip,
            "zstd" => Self::Zstd,
            "zlib" | "deflate" => Self::Zlib,
            "snappy" => Self::Snappy,
            "x-snappy-framed" => Self::SnappyFramed,
            "lz4" => Self::Lz4,
            _ => return None,
        })
    }
}

/// Unpacks `body`; what comes out is at most `limit` bytes, all of it taken from `seat`.
pub(super) fn decompress(
    coding: Coding,
    body: Bytes,
    limit: usize,
    seat: &Seat,
) -> Result<Bytes, Refusal> {
    let packed = body.as_ref();
    let unpacked = match coding {
        Coding::Identity => return Ok(body),
        Coding::Gzip => read(flate2::bufread::MultiGzDecoder::new(packed), limit, seat),
        Coding::Zlib => {
            let mut decoder = flate2::bufread::ZlibDecoder::new(packed);
            let unpacked = read(&mut decoder, limit, seat)?;
            // One stream is one body; the decoder would leave what follows it unread.
            if !decoder.get_ref().is_empty() {
                return Err(Refusal::malformed(
                    "",
                    "something follows the end of the zlib stream",
                ));
            }
            Ok(unpacked)
        }
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)
                .map_err(|error| corrupt(&error))?;
            decoder
                .window_log_max(ZSTD_WINDOW_LOG_MAX)
                .map_err(|error| corrupt(&error))?;
            read(decoder, limit, seat)
        }
        Coding::Snappy if !packed.starts_with(SNAPPY_FRAME_START) => {
            snappy_block(packed, limit, seat)
        }
        Coding::Snappy | Coding::SnappyFramed => {
            read(snap::read::FrameDecoder::new(packed), limit, seat)
        }
        Coding::Lz4 => read(Lz4Frames::new(packed), limit, seat),
    }?;
    drop(body);
    seat.shrink_to(unpacked.len());
    Ok(Bytes::from(unpacked))
}

/// The first bytes of lz4's legacy frame, which has no end mark: it ends where the bytes do.
const LZ4_LEGACY_START: &[u8; 4] = b"\x02\x21\x4c\x18";

/// All lz4 frames of a body, one after the other. The decoder alone ends after the first, and takes one that was cut
/// between two blocks for whole.
struct Lz4Frames<'a> {
    decoder: lz4_flex::frame::FrameDecoder<Watched<'a>>,
    is_between: bool,
    is_legacy: bool,
}

/// Bytes that remember whether more were wanted than there are.
struct Watched<'a> {
    rest: &'a [u8],
    is_starved: bool,
}

impl Read for Watched<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.rest.read(out)?;
        self.is_starved |= count == 0 && !out.is_empty();
        Ok(count)
    }
}

impl<'a> Lz4Frames<'a> {
    fn new(packed: &'a [u8]) -> Self {
        let input = Watched {
            rest: packed,
            is_starved: false,
        };
        Self {
            decoder: lz4_flex::frame::FrameDecoder::new(input),
            is_between: true,
            is_legacy: packed.starts_with(LZ4_LEGACY_START),
        }
    }
}

impl Read for Lz4Frames<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !out.is_empty() {
            if self.is_between && self.decoder.get_ref().rest.is_empty() {
                break;
            }
            let count = self.decoder.read(out)?;
            self.is_between = count == 0;
            if count > 0 {
                return Ok(count);
            }
            if self.decoder.get_ref().is_starved && !self.is_legacy {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "an lz4 frame without its end",
                ));
            }
        }
        Ok(0)
    }
}

fn snappy_block(packed: &[u8], limit: usize, seat: &Seat) -> Result<Vec<u8>, Refusal> {
    let declared = snap::raw::decompress_len(packed)
        .map_err(|error| Refusal::malformed("", &format!("snappy: {error}")))?;
    if declared > limit {
        return Err(Refusal::TooLarge { limit });
    }
    // A snappy copy element yields at most 64 bytes from 2, so a larger claim is a lie told to make us allocate.
    if declared > packed.len().saturating_mul(32) {
        return Err(Refusal::malformed(
            "",
            "snappy: the declared length cannot be true",
        ));
    }
    seat.add(declared)?;
    snap::raw::Decoder::new()
        .decompress_vec(packed)
        .map_err(|error| Refusal::malformed("", &format!("snappy: {error}")))
}

fn read(mut reader: impl Read, limit: usize, seat: &Seat) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    loop {
        let room = STEP_BYTES.min(limit + 1 - out.len());
        let filled = out.len();
        seat.add(room)?;
        let count = (&mut reader)
            .take(room as u64)
            .read_to_end(&mut out)
            .map_err(|error| corrupt(&error))?;
        if out.len() > limit {
            return Err(Refusal::TooLarge { limit });
        }
        debug_assert_eq!(out.len(), filled + count, "read_to_end appends");
        if count < room {
            return Ok(out);
        }
    }
}

fn corrupt(error: &io::Error) -> Refusal {
    Refusal::malformed(
        "",
        &format!("content does not match its content-encoding: {error}"),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::receive::budget::Budget;

    const LIMIT: usize = 100_000;

    fn pack(coding: Coding, data: &[u8]) -> Vec<u8> {
        match coding {
            Coding::Identity => data.to_vec(),
            Coding::Gzip => {
                let mut writer =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                writer.write_all(data).unwrap();
                writer.finish().unwrap()
            }
            Coding::Zlib => {
                let mut writer =
                    flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
                writer.write_all(data).unwrap();
                writer.finish().unwrap()
            }
            Coding::Zstd => zstd::encode_all(data, 1).unwrap(),
            Coding::Snappy => snap::raw::Encoder::new().compress_vec(data).unwrap(),
            Coding::SnappyFramed => {
                let mut writer = snap::write::FrameEncoder::new(Vec::new());
                writer.write_all(data).unwrap();
                writer.into_inner().unwrap()
            }
            Coding::Lz4 => {
                let mut writer = lz4_flex::frame::FrameEncoder::new(Vec::new());
                writer.write_all(data).unwrap();
                writer.finish().unwrap()
            }
        }
    }

    const PACKED: [Coding; 6] = [
        Coding::Gzip,
        Coding::Zlib,
        Coding::Zstd,
        Coding::Snappy,
        Coding::SnappyFramed,
        Coding::Lz4,
    ];

    fn unpack(coding: Coding, packed: Vec<u8>) -> Result<Bytes, Refusal> {
        let budget = Budget::new(packed.len() + 4 * LIMIT);
        let seat = budget.seat();
        let packed_bytes = packed.len();
        seat.add(packed_bytes).unwrap();
        let unpacked = decompress(coding, Bytes::from(packed), LIMIT, &seat);
        if let Ok(unpacked) = &unpacked {
            assert!(
                budget.held() <= unpacked.len().max(packed_bytes),
                "{coding:?} gives bytes back"
            );
        }
        drop(seat);
        assert_eq!(budget.held(), 0);
        unpacked
    }

    #[test]
    fn z03_every_coding_gives_back_what_went_in() {
        let data: Vec<u8> = (0..90_000_u32).map(|n| (n * 7 % 251) as u8).collect();
        for coding in PACKED {
            assert_eq!(
                unpack(coding, pack(coding, &data)).unwrap(),
                data,
                "{coding:?}"
            );
            assert_eq!(
                unpack(coding, pack(coding, &data[..LIMIT.min(10)])).unwrap(),
                &data[..10]
            );
        }
        let framed = pack(Coding::SnappyFramed, &data);
        assert_eq!(
            unpack(Coding::Snappy, framed).unwrap(),
            data,
            "framed is told by its first bytes"
        );
    }

    #[test]
    fn z06_the_limit_holds_exactly_and_bombs_are_refused() {
        for coding in PACKED {
            assert_eq!(
                unpack(coding, pack(coding, &vec![0; LIMIT])).unwrap().len(),
                LIMIT
            );
            for size in [LIMIT + 1, 50_000_000] {
                let bomb = pack(coding, &vec![0; size]);
                assert_eq!(
                    unpack(coding, bomb),
                    Err(Refusal::TooLarge { limit: LIMIT }),
                    "{coding:?} {size}"
                );
            }
        }
    }

    #[test]
    fn z06_a_zstd_window_or_a_snappy_length_is_checked_before_allocation() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(b"small").unwrap();
        assert!(matches!(
            unpack(Coding::Zstd, encoder.finish().unwrap()),
            Err(Refusal::Malformed { .. })
        ));
        // Claims 90 000 bytes and holds none.
        assert!(matches!(
            unpack(Coding::Snappy, vec![0x90, 0xbf, 0x05]),
            Err(Refusal::Malformed { .. })
        ));
        // Claims 4 GiB.
        assert!(matches!(
            unpack(Coding::Snappy, vec![0xff, 0xff, 0xff, 0xff, 0x0f]),
            Err(Refusal::TooLarge { .. })
        ));
    }

    #[test]
    fn z05_garbage_and_truncation_are_malformed() {
        let data: Vec<u8> = (0..50_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        for coding in PACKED {
            assert!(
                matches!(
                    unpack(coding, b"{\"a\":1}".to_vec()),
                    Err(Refusal::Malformed { .. })
                ),
                "{coding:?}"
            );
            let mut packed = pack(coding, &data);
            packed.truncate(packed.len() / 2);
            assert!(
                matches!(unpack(coding, packed), Err(Refusal::Malformed { .. })),
                "{coding:?}"
            );
        }
    }

    #[test]
    fn z05_a_body_is_unpacked_whole_or_refused() {
        let (first, second) = (vec![1; 30_000], vec![2; 30_000]);
        let both = [first.clone(), second.clone()].concat();
        for coding in PACKED {
            let joined = [pack(coding, &first), pack(coding, &second)].concat();
            let unpacked = unpack(coding, joined);
            match coding {
                Coding::Zlib | Coding::Snappy => assert!(
                    matches!(unpacked, Err(Refusal::Malformed { .. })),
                    "{coding:?} has no second stream"
                ),
                _ => assert_eq!(unpacked.unwrap(), both, "{coding:?}"),
            }
            let trailing = [pack(coding, &first), b"and more".to_vec()].concat();
            assert!(
                matches!(unpack(coding, trailing), Err(Refusal::Malformed { .. })),
                "{coding:?} and more"
            );
            // A cut at any of the last bytes, which are the end mark of an lz4 frame.
            let whole = pack(coding, &both);
            for cut in 1..=8 {
                let packed = whole[..whole.len() - cut].to_vec();
                assert!(
                    matches!(unpack(coding, packed), Err(Refusal::Malformed { .. })),
                    "{coding:?} cut by {cut}"
                );
            }
        }
    }

    #[test]
    fn z03_an_lz4_frame_of_the_legacy_format_ends_where_the_bytes_do() {
        let block = lz4_flex::block::compress(&[7; 1_000]);
        let length = u32::try_from(block.len()).unwrap().to_le_bytes();
        let packed = [
            LZ4_LEGACY_START.as_slice(),
            length.as_slice(),
            block.as_slice(),
        ]
        .concat();
        assert_eq!(unpack(Coding::Lz4, packed).unwrap(), vec![7; 1_000]);
        assert_eq!(unpack(Coding::Lz4, Vec::new()).unwrap(), Vec::<u8>::new());
    }

    #[test]
    fn z06_an_empty_budget_refuses_with_a_hint() {
        let budget = Budget::new(10_000);
        let seat = budget.seat();
        let bomb = Bytes::from(pack(Coding::Gzip, &vec![0; LIMIT]));
        assert!(matches!(
            decompress(Coding::Gzip, bomb, LIMIT, &seat),
            Err(Refusal::Overloaded { .. })
        ));
    }

    #[test]
    fn z04_z07_names_are_read_in_any_case_and_unknown_ones_refused() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, ::http::HeaderValue::from_static(value));
            Coding::of(&headers)
        };
        assert_eq!(of("GZIP"), Ok(Coding::Gzip));
        assert_eq!(of("identity"), Ok(Coding::Identity));
        assert_eq!(of("identity, Zstd"), Ok(Coding::Zstd));
        assert_eq!(of(""), Ok(Coding::Identity));
        assert_eq!(of("br"), Err(Refusal::UnknownCoding));
        assert_eq!(of("gzip, gzip"), Err(Refusal::UnknownCoding));
        assert_eq!(Coding::of(&HeaderMap::new()), Ok(Coding::Identity));
    }
}
