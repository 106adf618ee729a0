//! The states of a connection and what moves it from one to the next.

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The transport is being set up by the driver.
    Connecting,
    /// ApiVersions awaits its answer.
    Versions,
    /// Authentication is under way.
    Authenticating,
    /// Requests can be sent.
    Ready,
    /// Requests wait while authentication is renewed.
    Reauthenticating,
    /// It is over.
    Closed,
}

/// What moves a connection on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The transport is up.
    Opened,
    /// The broker wants another version of ApiVersions.
    OtherVersions,
    /// The broker said what it offers, and that is all there is to set up.
    Offered,
    /// The broker said what it offers, and authentication is due.
    AuthenticationDue,
    /// Authentication succeeded.
    Authenticated,
    /// Authentication will not hold for much longer.
    Expiring,
    /// Whatever ends a connection.
    Ended,
}

/// All transitions. What is not listed is not possible, and leaves the state as it is.
pub(super) const TRANSITIONS: &[(State, Input, State)] = &[
    (State::Connecting, Input::Opened, State::Versions),
    (State::Connecting, Input::Ended, State::Closed),
    (State::Versions, Input::OtherVersions, State::Versions),
    (State::Versions, Input::Offered, State::Ready),
    (State::Versions, Input::AuthenticationDue, State::Authenticating),
    (State::Versions, Input::Ended, State::Closed),
    (State::Authenticating, Input::Authenticated, State::Ready),
    (State::Authenticating, Input::Ended, State::Closed),
    (State::Ready, Input::Expiring, State::Reauthenticating),
    (State::Ready, Input::Ended, State::Closed),
    (State::Reauthenticating, Input::Authenticated, State::Ready),
    (State::Reauthenticating, Input::Ended, State::Closed),
];

impl State {
    /// The state after `input`, if the input is possible here.
    pub(super) fn after(self, input: Input) -> Option<Self> {
        TRANSITIONS.iter().find(|(from, by, _)| *from == self && *by == input).map(|(_, _, to)| *to)
    }
}
