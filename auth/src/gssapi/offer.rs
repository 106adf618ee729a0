//! What client and broker agree on when both know each other (RFC 4752, section 3.1).

/// The bit for no protection of what follows.
const NO_LAYER: u8 = 1;

/// What the client chooses out of the broker's offer: no layer, hence messages of no length, and no other identity than
/// that of the ticket.
///
/// # Errors
///
/// The offer makes no sense, or leaves no choice that Kafka knows.
pub(super) fn choose(offer: &[u8]) -> Result<[u8; 4], &'static str> {
    let [layers, _, _, _] = *offer else {
        return Err("the broker's offer of security layers is not of four bytes");
    };
    if layers & NO_LAYER == 0 {
        return Err("the broker wants a security layer of GSSAPI, which Kafka does not have");
    }
    Ok([NO_LAYER, 0, 0, 0])
}
