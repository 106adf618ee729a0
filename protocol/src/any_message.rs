//! What a message of any API can do.

/// Declares an enum over the messages of all APIs.
macro_rules! any_message {
    ($(#[$doc:meta])* $name:ident: $($variant:ident = $key:literal, $message:ty;)*) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $(
                #[doc = concat!("API ", stringify!($key), ".")]
                $variant($message),
            )*
        }

        impl $name {
            /// The API that the message belongs to.
            #[must_use]
            pub fn api_key(&self) -> $crate::ApiKey {
                $crate::ApiKey(match self {
                    $(Self::$variant(_) => $key,)*
                })
            }

            /// What is known of the message.
            #[must_use]
            pub fn info(&self) -> &'static $crate::MessageInfo {
                match self {
                    $(Self::$variant(_) => <$message as $crate::Message>::INFO,)*
                }
            }

            /// Appends the message in a version's form.
            ///
            /// # Errors
            /// As [`crate::Message::encode`].
            pub fn encode(
                &self,
                writer: &mut $crate::wire::Writer,
                version: i16,
            ) -> Result<(), $crate::wire::EncodeError> {
                // Not through `Message::encode`, which would be compiled for every message.
                let info = self.info();
                writer.begin(info, version)?;
                match self {
                    $(Self::$variant(message) => $crate::Fields::write(message, writer, version),)*
                }
                writer.end(info, version)
            }

            /// How many bytes [`Self::encode`] appends.
            ///
            /// # Errors
            /// As [`crate::Message::encode`].
            pub fn encoded_len(&self, version: i16) -> Result<usize, $crate::wire::EncodeError> {
                let mut counter = $crate::wire::Writer::counting();
                self.encode(&mut counter, version)?;
                Ok(counter.len())
            }

            /// Reads the message of an API in a version's form.
            ///
            /// # Errors
            /// As [`crate::Message::decode`], and an API that is not known here.
            pub fn decode(
                api_key: $crate::ApiKey,
                version: i16,
                reader: &mut $crate::wire::Reader,
            ) -> Result<Self, $crate::wire::DecodeError> {
                let unknown = |reader: &$crate::wire::Reader| {
                    let reason = $crate::wire::DecodeReason::ApiKey(api_key.0);
                    $crate::wire::DecodeError::new(reader.position(), reason)
                };
                let info = match api_key.0 {
                    $($key => <$message as $crate::Message>::INFO,)*
                    _ => return Err(unknown(reader)),
                };
                let start = reader.begin(info, version)?;
                let message = match api_key.0 {
                    $($key => Self::$variant($crate::Fields::read(reader, version)),)*
                    _ => return Err(unknown(reader)),
                };
                reader.end(info, version, start)?;
                Ok(message)
            }
        }

        $(
            impl From<$message> for $name {
                fn from(message: $message) -> Self {
                    Self::$variant(message)
                }
            }
        )*
    };
}

pub(crate) use any_message;
