//! All decoders read the same in a batch.

use bytes::Bytes;
use klamm_protocol::records::{self, ReadOptions, Scratch};

use super::Invariant;
use super::batch::{Batch, Decoder, Record};
use super::findings::Findings;

/// What one record says, to be compared.
type Plain = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>);

fn plain(record: &records::Record<'_>) -> Plain {
    (record.offset, record.timestamp, record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec))
}

/// Decodes the batch record by record, at once, and with our own decoder.
pub(super) fn compare(decoder: &mut Decoder, batch: &Batch<'_>, findings: &mut Findings) {
    let mut ours: Vec<Plain> = Vec::new();
    let each = |record: Record<'_>| {
        ours.push((
            record.offset,
            record.timestamp,
            record.key.map(<[u8]>::to_vec),
            record.value.map(<[u8]>::to_vec),
        ));
    };
    let is_append_time = batch.header.attributes & 8 != 0;
    if decoder.records(batch, each).is_err() || is_append_time {
        // Told elsewhere; and the broker's time of appending takes the place of each record's own.
        return;
    }
    let source = Bytes::copy_from_slice(batch.bytes);
    let (mut scratch, options) = (Scratch::new(), ReadOptions::default());
    let Ok(Some(parsed)) = records::Batch::parse(&source) else {
        return differ(findings, batch, "the client's decoder reads no header");
    };
    let lazy: Option<Vec<Plain>> = parsed
        .open(&mut scratch, &options)
        .ok()
        .and_then(|iter| iter.map(|record| record.ok().as_ref().map(plain)).collect());
    let eager: Option<Vec<Plain>> = parsed
        .to_records(&source, &mut Scratch::new(), &options)
        .ok()
        .and_then(|records| records.iter().map(|record| record.ok().as_ref().map(plain)).collect());
    if lazy != eager {
        differ(findings, batch, "decoding record by record and at once differ");
    } else if lazy.as_ref() != Some(&ours) {
        differ(findings, batch, "the client's decoder and the checker's differ");
    }
}

fn differ(findings: &mut Findings, batch: &Batch<'_>, how: &str) {
    let (offset, count) = (batch.header.base_offset, batch.header.count);
    findings
        .add(Invariant::DecodersAgree, format!("of the batch of {count} records at offset {offset}, {how}"));
}
