//! As much of X.509 as errors need: whose certificate it is, and who issued it.

/// Subject and issuer of a certificate, in words; `None` if it makes no sense.
pub(super) fn subject_and_issuer(certificate: &[u8]) -> Option<(String, String)> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    let (_, whole, _) = element(certificate)?;
    let (_, mut rest, _) = element(whole)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // Serial number, algorithm, issuer, validity, subject.
    let (_, _, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (tag, issuer, rest) = element(rest)?;
    let (_, _, rest) = element(rest)?;
    let (_, subject, _) = element(rest)?;
    (tag == SEQUENCE).then(|| (name(subject), name(issuer)))
}

/// Tag and content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (length, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (length.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// The parts of a distinguished name that are commonly used.
fn name(mut parts: &[u8]) -> String {
    let mut text = Vec::new();
    while let Some((_, set, rest)) = element(parts) {
        parts = rest;
        let Some((_, pair, _)) = element(set) else { continue };
        let Some((_, kind, rest)) = element(pair) else { continue };
        let Some((_, value, _)) = element(rest) else { continue };
        let kind = match kind {
            [0x55, 0x04, 0x03] => "CN",
            [0x55, 0x04, 0x0a] => "O",
            [0x55, 0x04, 0x0b] => "OU",
            [0x55, 0x04, 0x06] => "C",
            _ => continue,
        };
        let value: String =
            String::from_utf8_lossy(value).chars().filter(|c| !c.is_control()).take(100).collect();
        text.push(format!("{kind}={value}"));
    }
    if text.is_empty() { String::from("nobody") } else { text.join(", ") }
}
