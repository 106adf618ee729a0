//! What all messages have in common.

use std::fmt::Debug;

use crate::ApiKey;
use crate::wire::{DecodeError, EncodeError, Reader, Writer};

/// What is known of a message, from its schema.
#[derive(Debug, PartialEq, Eq)]
pub struct MessageInfo {
    /// The name in the schema, such as `MetadataRequest`.
    pub name: &'static str,
    /// The lowest version that can be read and written.
    pub min_version: i16,
    /// The highest version that can be read and written.
    pub max_version: i16,
    /// The first version with compact lengths and tagged fields (KIP-482); `i16::MAX` when there is none.
    pub first_flexible: i16,
    /// The text of the schema.
    pub schema: &'static str,
}

/// The fields of a message or of a struct inside one. Generated; use [`Message`] instead.
pub trait Fields: Sized {
    /// The fewest bytes that this can take in any version, at least 1.
    const MIN_SIZE: usize;

    /// Reads the fields of a version. A failure is noted in the reader.
    #[must_use]
    fn read(reader: &mut Reader, version: i16) -> Self;

    /// Writes the fields of a version. A failure is noted in the writer.
    fn write(&self, writer: &mut Writer, version: i16);
}

/// A message: the body of a request or response, a header, or a document such as a group's subscription.
pub trait Message: Fields + Clone + Debug + Default + PartialEq + Send + Sync + 'static {
    /// What is known of the message.
    const INFO: &'static MessageInfo;
    /// The name in the schema.
    const NAME: &'static str = Self::INFO.name;
    /// The lowest version that can be read and written.
    const MIN_VERSION: i16 = Self::INFO.min_version;
    /// The highest version that can be read and written.
    const MAX_VERSION: i16 = Self::INFO.max_version;

    /// Appends the message in a version's form.
    ///
    /// # Errors
    /// The version is not one of this message's; a field that the version lacks is set to something else than its
    /// default and may not be left out; a field is null where the version has no null; a text or list is longer
    /// than its length field can say. The writer's content is then worthless.
    fn encode(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {
        writer.begin(Self::INFO, version)?;
        self.write(writer, version);
        writer.end(Self::INFO, version)
    }

    /// How many bytes [`Message::encode`] appends.
    ///
    /// # Errors
    /// As [`Message::encode`].
    fn encoded_len(&self, version: i16) -> Result<usize, EncodeError> {
        let mut counter = Writer::counting();
        self.encode(&mut counter, version)?;
        Ok(counter.len())
    }

    /// Reads a message from where the reader stands. What follows the message is left in the reader.
    ///
    /// # Errors
    /// The version is not one of this message's, or the bytes do not have the version's form.
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        let start = reader.begin(Self::INFO, version)?;
        let message = Self::read(reader, version);
        match reader.end(Self::INFO, version, start) {
            Ok(()) => Ok(message),
            Err(error) => Err(error),
        }
    }
}

/// The body of a request.
pub trait Request: Message {
    /// The number of its API.
    const API_KEY: ApiKey;
    /// What the broker answers.
    type Response: Message;
}
