//! The handles of the engine with calls that wait: a line a call, for what it does is said where it is done.

/// Forwards the options of a builder, and makes what it builds.
macro_rules! options {
    ($builder:ty $(=> $built:ident)?: $($name:ident($($argument:ident: $type:ty),*);)*) => {
        $(
            #[doc = concat!("As [`", stringify!($builder), "::", stringify!($name), "`].")]
            pub fn $name(mut self $(, $argument: $type)*) -> Self {
                self.inner = self.inner.$name($($argument),*);
                self
            }
        )*
        $(
            /// Makes it.
            ///
            /// # Errors
            ///
            #[doc = concat!("As [`", stringify!($builder), "::build`].")]
            pub fn build(self) -> Result<$built, klamm_engine::InvalidConfig> {
                self.inner.build().map(|inner| $built { inner })
            }
        )?
    };
}

/// Forwards calls, each with a text of its own and a link to the engine's. What stands before a name says how:
///
/// | | |
/// |---|---|
/// | `wait`, `wait_mut` | waits for what the engine's call promises |
/// | `within` | the same, as long as a timeout; `None` if it was too short |
/// | `now`, `now_mut`, `get` | needs no waiting; `get` has no other effect than its value |
///
/// `name = other` is a call of another name than the engine's.
macro_rules! forward {
    ($handle:ty: $(
        $(#[$meta:meta])*
        $kind:ident $name:ident $(= $inner:ident)? ($($argument:ident: $type:ty),* $(,)?) $(-> $output:ty)?;
    )*) => {
        $(forward!(@$kind [$handle] [$(#[$meta])*] [$name $($inner)?] ($($argument: $type),*) $(-> $output)?);)*
    };
    (@$kind:ident $handle:tt $meta:tt [$name:ident] $($rest:tt)*) => {
        forward!(@$kind $handle $meta [$name $name] $($rest)*);
    };
    (@wait $handle:tt $meta:tt $names:tt $arguments:tt $(-> $output:ty)?) => {
        forward!(@method $handle $meta $names [&self] [self] $arguments [klamm_engine::block_on] $(-> $output)?);
    };
    (@wait_mut $handle:tt $meta:tt $names:tt $arguments:tt $(-> $output:ty)?) => {
        forward!(@method $handle $meta $names [&mut self] [self] $arguments [klamm_engine::block_on] $(-> $output)?);
    };
    (@now $handle:tt $meta:tt $names:tt $arguments:tt $(-> $output:ty)?) => {
        forward!(@method $handle $meta $names [&self] [self] $arguments [] $(-> $output)?);
    };
    (@now_mut $handle:tt $meta:tt $names:tt $arguments:tt $(-> $output:ty)?) => {
        forward!(@method $handle $meta $names [&mut self] [self] $arguments [] $(-> $output)?);
    };
    (@get $handle:tt [$($meta:tt)*] $names:tt $arguments:tt $(-> $output:ty)?) => {
        forward!(@method $handle [$($meta)* #[must_use]] $names [&self] [self] $arguments [] $(-> $output)?);
    };
    (@within [$handle:ty] [$($meta:tt)*] [$name:ident $inner:ident] () -> $output:ty) => {
        $($meta)*
        ///
        #[doc = concat!("See [`", stringify!($handle), "::", stringify!($inner), "`]; nothing is lost by giving up.")]
        pub fn $name(&self, timeout: std::time::Duration) -> $output {
            klamm_engine::block_on_until(self.inner.$inner(), std::time::Instant::now() + timeout).transpose()
        }
    };
    (@method [$handle:ty] [$($meta:tt)*] [$name:ident $inner:ident] [$($receiver:tt)+] [$me:ident]
        ($($argument:ident: $type:ty),*) [$($run:tt)*] $(-> $output:ty)?) => {
        $($meta)*
        ///
        #[doc = concat!("See [`", stringify!($handle), "::", stringify!($inner), "`].")]
        pub fn $name($($receiver)+ $(, $argument: $type)*) $(-> $output)? {
            $($run)*($me.inner.$inner($($argument),*))
        }
    };
}

/// What accepts records, for a producer and for a transaction.
macro_rules! accepting {
    ($handle:ty) => {
        /// Accepts a record: waits for the topic's metadata and for room in the producer's memory, if need be, not for
        /// the acknowledgement. That is the receipt's part.
        ///
        /// # Errors
        ///
        /// The record was not accepted, and will not be written.
        pub fn enqueue(
            &self,
            record: klamm_engine::Record<'_>,
        ) -> Result<crate::Receipt, klamm_engine::SendError> {
            klamm_engine::block_on(self.inner.enqueue(record)).map(|inner| crate::Receipt { inner })
        }

        /// Writes several records, and waits until each is acknowledged or failed: the outcomes, in the records' order.
        #[doc = concat!("See [`", stringify!($handle), "::send_batch`].")]
        #[expect(single_use_lifetimes, reason = "anonymous lifetimes in `impl Trait` are unstable")]
        pub fn send_batch<'r>(
            &self,
            records: impl IntoIterator<Item = klamm_engine::Record<'r>>,
        ) -> Vec<Result<klamm_engine::RecordMetadata, klamm_engine::SendError>> {
            klamm_engine::block_on(self.inner.send_batch(records))
        }

        /// Accepts several records: the receipts, in the records' order.
        #[doc = concat!("See [`", stringify!($handle), "::enqueue_batch`].")]
        #[expect(single_use_lifetimes, reason = "anonymous lifetimes in `impl Trait` are unstable")]
        pub fn enqueue_batch<'r>(
            &self,
            records: impl IntoIterator<Item = klamm_engine::Record<'r>>,
        ) -> Vec<Result<crate::Receipt, klamm_engine::SendError>> {
            let accepted = klamm_engine::block_on(self.inner.enqueue_batch(records));
            accepted.into_iter().map(|accepted| accepted.map(|inner| crate::Receipt { inner })).collect()
        }

        /// Accepts a record if that needs no waiting.
        ///
        /// # Errors
        ///
        /// The record comes back.
        #[expect(clippy::result_large_err, reason = "the error gives the record back")]
        pub fn try_send<'r>(
            &self,
            record: klamm_engine::Record<'r>,
        ) -> Result<crate::Receipt, klamm_engine::TrySendError<'r>> {
            self.inner.try_send(record).map(|inner| crate::Receipt { inner })
        }
    };
}
