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

            /// Appends the message in a version's form.
            ///
            /// # Errors
            /// As [`crate::Message::encode`].
            pub fn encode(
                &self,
                writer: &mut $crate::wire::Writer,
                version: i16,
            ) -> Result<(), $crate::wire::EncodeError> {
                match self {
                    $(Self::$variant(message) => $crate::Message::encode(message, writer, version),)*
                }
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
                match api_key.0 {
                    $($key => $crate::Message::decode(reader, version).map(Self::$variant),)*
                    _ => Err($crate::wire::DecodeError::new(
                        reader.position(),
                        $crate::wire::DecodeReason::ApiKey(api_key.0),
                    )),
                }
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
