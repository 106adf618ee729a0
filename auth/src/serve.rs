//! The thread that answers for credentials.

use std::{fmt::Display, io, thread};

use klamm_engine::{BearerToken, Mechanism, Sasl, block_on};

/// OAUTHBEARER with tokens that `fetch` gets, on a thread of its own: one at a time, when a client needs one, and again
/// when four fifths of its lifetime are over. Why there is none ends up in the errors that users see, and the client
/// asks again when it next tries to connect.
///
/// The thread ends when all clients with this [`Sasl`] and all its clones are gone, and `fetch` has returned: it has to
/// bound its time.
///
/// # Errors
///
/// The system has no thread.
pub fn serve<E: Display>(
    mut fetch: impl FnMut() -> Result<BearerToken, E> + Send + 'static,
) -> io::Result<Sasl> {
    let (sasl, mut requests) = Sasl::asking(Mechanism::OAuthBearer);
    thread::Builder::new().name(String::from("klamm-auth")).spawn(move || {
        while let Some(request) = block_on(requests.next()) {
            request.answer(fetch().map_err(|error| error.to_string()));
        }
    })?;
    Ok(sasl)
}
