//! gzip members around raw deflate (RFC 1952), so that the deflate state can be kept between payloads.

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use super::{Compression, DecompressError};

pub(super) const MIN_LEVEL: i32 = 1;
pub(super) const MAX_LEVEL: i32 = 9;
pub(super) const DEFAULT_LEVEL: i32 = 6;

/// Magic, method deflate, no flags, no time, no extra flags, unknown operating system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const TRAILER_LEN: usize = 8;
/// The most that one byte of deflate can expand to.
const MAX_RATIO: usize = 1032;
const GROWTH: usize = 32 * 1024;

const FLAG_HEADER_CRC: u8 = 0x02;
const FLAG_EXTRA: u8 = 0x04;
const FLAG_NAME: u8 = 0x08;
const FLAG_COMMENT: u8 = 0x10;
const FLAGS_RESERVED: u8 = 0xe0;

pub(super) struct Encoder {
    deflate: Compress,
}

impl Encoder {
    pub(super) fn new(level: i32) -> Self {
        let level = u32::try_from(level.clamp(MIN_LEVEL, MAX_LEVEL)).unwrap_or(6);
        Self { deflate: Compress::new(flate2::Compression::new(level), false) }
    }

    pub(super) fn compress(&mut self, plain: &[u8], out: &mut Vec<u8>) -> bool {
        self.deflate.reset();
        out.reserve(HEADER.len() + plain.len() / 2 + 64);
        out.extend_from_slice(&HEADER);
        let mut rest = plain;
        loop {
            let before = self.deflate.total_in();
            let Ok(status) = self.deflate.compress_vec(rest, out, FlushCompress::Finish) else {
                return false;
            };
            let consumed = usize::try_from(self.deflate.total_in() - before).unwrap_or(0);
            rest = rest.get(consumed..).unwrap_or_default();
            match status {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError => out.reserve(GROWTH),
            }
        }
        out.extend_from_slice(&crc32fast::hash(plain).to_le_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "gzip records the size modulo 2^32")]
        out.extend_from_slice(&(plain.len() as u32).to_le_bytes());
        true
    }
}

pub(super) struct Decoder {
    inflate: Decompress,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { inflate: Decompress::new(false) }
    }

    pub(super) fn decompress(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<(), DecompressError> {
        let mut rest = input;
        loop {
            rest = self.member(rest, out, limit)?;
            // Java reads members as long as another one follows and ignores what is no member.
            if !rest.starts_with(&HEADER[..3]) {
                return Ok(());
            }
        }
    }

    /// Decompresses one member and returns what follows it.
    fn member<'a>(
        &mut self,
        input: &'a [u8],
        out: &mut Vec<u8>,
        limit: usize,
    ) -> Result<&'a [u8], DecompressError> {
        let mut rest = skip_header(input)?;
        let start = out.len();
        out.reserve(expected_len(rest).min(limit - start));
        self.inflate.reset(false);
        loop {
            // Room for one byte beyond the limit tells a payload at the limit from one that goes on.
            let room = (limit + 1).saturating_sub(out.len());
            if out.len() == out.capacity() {
                out.reserve(GROWTH.max(out.len()).min(room));
            }
            let before = self.inflate.total_in();
            let status = self
                .inflate
                .decompress_vec(rest, out, FlushDecompress::None)
                .map_err(|_| DecompressError::invalid(Compression::Gzip, "deflate data"))?;
            if out.len() > limit {
                return Err(DecompressError::TooLarge { limit });
            }
            let consumed = usize::try_from(self.inflate.total_in() - before).unwrap_or(0);
            rest = rest.get(consumed..).unwrap_or_default();
            match status {
                Status::StreamEnd => break,
                Status::Ok | Status::BufError if out.len() == out.capacity() => {}
                Status::Ok | Status::BufError => {
                    return Err(DecompressError::Truncated(Compression::Gzip));
                }
            }
        }
        let (trailer, rest) =
            rest.split_first_chunk::<TRAILER_LEN>().ok_or(DecompressError::Truncated(Compression::Gzip))?;
        check_trailer(trailer, out.get(start..).unwrap_or_default())?;
        Ok(rest)
    }
}

fn check_trailer(trailer: &[u8; TRAILER_LEN], plain: &[u8]) -> Result<(), DecompressError> {
    let [a, b, c, d, e, f, g, h] = *trailer;
    if u32::from_le_bytes([a, b, c, d]) != crc32fast::hash(plain) {
        return Err(DecompressError::invalid(Compression::Gzip, "checksum"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "gzip records the size modulo 2^32")]
    if u32::from_le_bytes([e, f, g, h]) != plain.len() as u32 {
        return Err(DecompressError::invalid(Compression::Gzip, "size"));
    }
    Ok(())
}

/// The size that the last trailer claims, as far as the input can pay for it.
fn expected_len(input: &[u8]) -> usize {
    let claimed = input.last_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size));
    usize::try_from(claimed).unwrap_or(usize::MAX).min(input.len().saturating_mul(MAX_RATIO))
}

fn skip_header(input: &[u8]) -> Result<&[u8], DecompressError> {
    const TRUNCATED: DecompressError = DecompressError::Truncated(Compression::Gzip);
    let (header, mut rest) = input.split_first_chunk::<10>().ok_or(TRUNCATED)?;
    if !header.starts_with(&HEADER[..3]) {
        return Err(DecompressError::invalid(Compression::Gzip, "magic"));
    }
    let flags = header[3];
    if flags & FLAGS_RESERVED != 0 {
        return Err(DecompressError::invalid(Compression::Gzip, "reserved flags"));
    }
    if flags & FLAG_EXTRA != 0 {
        let (len, after) = rest.split_first_chunk::<2>().ok_or(TRUNCATED)?;
        rest = after.get(usize::from(u16::from_le_bytes(*len))..).ok_or(TRUNCATED)?;
    }
    for text in [FLAG_NAME, FLAG_COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|&byte| byte == 0).ok_or(TRUNCATED)?;
            rest = rest.get(end + 1..).ok_or(TRUNCATED)?;
        }
    }
    if flags & FLAG_HEADER_CRC != 0 {
        rest = rest.get(2..).ok_or(TRUNCATED)?;
    }
    Ok(rest)
}
