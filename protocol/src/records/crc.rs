//! CRC-32C of a concatenation from the CRCs of its parts, without the bytes.
//!
//! Appending `n` bytes to a message multiplies its CRC, seen as a polynomial over GF(2), by `x^(8n)` modulo the
//! CRC's polynomial. Computing that factor costs some 20 multiplications, so it is computed once a batch.

/// The Castagnoli polynomial, lowest power in the highest bit.
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// The polynomial 1.
const ONE: u32 = 1 << 31;
/// `x^(2^n)` for each `n`.
const POWERS: [u32; 64] = powers();

/// The factor that moves a CRC past a number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift(u32);

impl Shift {
    /// The factor for `len` bytes.
    pub(super) const fn by(len: usize) -> Self {
        // usize is at most 64 bits wide, and no slice is longer than 2^60 bytes.
        let mut bits = (len as u64) << 3;
        let mut factor = ONE;
        let mut n = 0;
        while bits != 0 {
            if bits & 1 != 0 {
                factor = multiply(factor, POWERS[n]);
            }
            bits >>= 1;
            n += 1;
        }
        Self(factor)
    }

    /// The CRC of a message with CRC `first` followed by the shifted-by bytes, whose CRC is `second`.
    #[inline]
    pub(super) const fn combine(self, first: u32, second: u32) -> u32 {
        multiply(self.0, first) ^ second
    }
}

const fn powers() -> [u32; 64] {
    let mut table = [0; 64];
    let mut power = ONE >> 1;
    let mut n = 0;
    while n < 64 {
        table[n] = power;
        power = multiply(power, power);
        n += 1;
    }
    table
}

/// The product of two polynomials modulo the CRC's.
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = 32;
    while bit > 0 {
        bit -= 1;
        product ^= b & 0u32.wrapping_sub((a >> bit) & 1);
        b = (b >> 1) ^ (POLYNOMIAL & 0u32.wrapping_sub(b & 1));
    }
    product
}

#[cfg(test)]
mod tests;
