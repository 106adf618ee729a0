//! Administration of groups.

use klamm_engine::{
    AdminError, CommittedOffset, GroupDescription, GroupListings, MemberName, PerItem, Str, block_on,
};

use super::Admin;

/// Groups. See [`klamm_engine::Admin`] for deadlines and errors.
impl Admin {
    /// Lists the groups of all brokers that the client may see.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub fn list_groups(&self) -> Result<GroupListings, AdminError> {
        block_on(self.inner.list_groups())
    }

    /// Describes groups of either protocol: state, coordinator, members and what they are assigned.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub fn describe_groups<T: AsRef<str>>(
        &self,
        groups: impl IntoIterator<Item = T> + Send,
    ) -> Result<PerItem<Str, GroupDescription>, AdminError> {
        block_on(self.inner.describe_groups(groups))
    }

    /// Asks for the committed offsets of a group: all of them. A group that does not exist has none.
    ///
    /// # Errors
    ///
    /// The coordinator did not answer, or refused.
    pub fn list_group_offsets(
        &self,
        group: &str,
        require_stable: bool,
    ) -> Result<PerItem<(Str, i32), Option<CommittedOffset>>, AdminError> {
        block_on(self.inner.list_group_offsets(group, require_stable))
    }

    /// As [`list_group_offsets`](Self::list_group_offsets), of these partitions.
    ///
    /// # Errors
    ///
    /// The coordinator did not answer, or refused.
    pub fn list_group_offsets_of<T: AsRef<str>>(
        &self,
        group: &str,
        partitions: impl IntoIterator<Item = (T, i32)> + Send,
        require_stable: bool,
    ) -> Result<PerItem<(Str, i32), Option<CommittedOffset>>, AdminError> {
        block_on(self.inner.list_group_offsets_of(group, partitions, require_stable))
    }

    /// Commits offsets in the place of a group that has no members.
    ///
    /// # Errors
    ///
    /// The coordinator did not answer, or refused. If the [`effect`](AdminError::effect) is unknown, offsets may have
    /// been committed.
    pub fn alter_group_offsets<T: AsRef<str>>(
        &self,
        group: &str,
        offsets: impl IntoIterator<Item = ((T, i32), CommittedOffset)> + Send,
    ) -> Result<PerItem<(Str, i32), ()>, AdminError> {
        block_on(self.inner.alter_group_offsets(group, offsets))
    }

    /// Deletes committed offsets (KIP-496).
    ///
    /// # Errors
    ///
    /// The coordinator did not answer, or refused. If the [`effect`](AdminError::effect) is unknown, offsets may have
    /// been deleted.
    pub fn delete_group_offsets<T: AsRef<str>>(
        &self,
        group: &str,
        partitions: impl IntoIterator<Item = (T, i32)> + Send,
    ) -> Result<PerItem<(Str, i32), ()>, AdminError> {
        block_on(self.inner.delete_group_offsets(group, partitions))
    }

    /// Deletes groups and their offsets (KIP-229).
    ///
    /// # Errors
    ///
    /// Nothing could be asked. If the [`effect`](AdminError::effect) is unknown, groups may have been deleted.
    pub fn delete_groups<T: AsRef<str>>(
        &self,
        groups: impl IntoIterator<Item = T> + Send,
    ) -> Result<PerItem<Str, ()>, AdminError> {
        block_on(self.inner.delete_groups(groups))
    }

    /// Makes members leave a classic group (KIP-345).
    ///
    /// # Errors
    ///
    /// The coordinator did not answer, or refused. If the [`effect`](AdminError::effect) is unknown, members may have
    /// been removed.
    pub fn remove_members(
        &self,
        group: &str,
        members: impl IntoIterator<Item = MemberName> + Send,
        reason: Option<&str>,
    ) -> Result<PerItem<MemberName, ()>, AdminError> {
        block_on(self.inner.remove_members(group, members, reason))
    }

    /// Makes all members leave that a classic group has at the moment.
    ///
    /// # Errors
    ///
    /// As [`remove_members`](Self::remove_members), or the group could not be described.
    pub fn remove_all_members(
        &self,
        group: &str,
        reason: Option<&str>,
    ) -> Result<PerItem<MemberName, ()>, AdminError> {
        block_on(self.inner.remove_all_members(group, reason))
    }
}
