//! Administration of groups.

use std::collections::BTreeMap;

use klamm_core::{
    BrokerId,
    admin::{
        AdminCommand, AdminError, AdminReply, CommittedOffset, GroupCommand, GroupDescription, GroupListing,
        GroupReply, MemberName,
    },
};
use klamm_protocol::Str;

use super::{Admin, PerItem, strings, unanswered};

/// The groups of a cluster, as far as its brokers told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupListings {
    /// By id.
    pub groups: BTreeMap<Str, GroupListing>,
    /// The brokers that did not tell which groups they coordinate, and why.
    pub failed: BTreeMap<BrokerId, AdminError>,
}

/// Groups. See [`Admin`] for deadlines, errors and cancel safety.
impl Admin {
    /// Lists the groups of all brokers that the client may see.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub async fn list_groups(&self) -> Result<GroupListings, AdminError> {
        let GroupReply::List(answers) = self.of_groups(GroupCommand::List).await? else {
            return Err(unanswered());
        };
        let mut listings = GroupListings::default();
        for (broker, answer) in answers {
            match answer {
                Ok(groups) => {
                    listings.groups.extend(groups.into_iter().map(|group| (group.id.clone(), group)));
                }
                Err(error) => drop(listings.failed.insert(broker, error)),
            }
        }
        Ok(listings)
    }

    /// Describes groups of either protocol: state, coordinator, members and what they are assigned.
    ///
    /// A group that does not exist is refused with `GROUP_ID_NOT_FOUND`.
    ///
    /// # Errors
    ///
    /// No broker answered.
    pub async fn describe_groups<T: AsRef<str>>(
        &self,
        groups: impl IntoIterator<Item = T> + Send,
    ) -> Result<PerItem<Str, GroupDescription>, AdminError> {
        let groups = strings(groups);
        match self.of_groups(GroupCommand::Describe { groups }).await? {
            GroupReply::Describe(groups) => Ok(groups),
            _ => Err(unanswered()),
        }
    }

    /// Asks for the committed offsets of a group: all of them. A group that does not exist has none.
    ///
    /// With `require_stable` it waits for transactions that are about to commit offsets (KIP-447).
    ///
    /// # Errors
    ///
    /// The coordinator did not answer, or refused.
    pub async fn list_group_offsets(
        &self,
        group: &str,
        require_stable: bool,
    ) -> Result<PerItem<(Str, i32), Option<CommittedOffset>>, AdminError> {
        let command =
            GroupCommand::ListOffsets { group: Str::copy_of(group), partitions: None, require_stable };
        match self.of_groups(command).await? {
            GroupReply::ListOffsets(offsets) => Ok(offsets),
            _ => Err(unanswered()),
        }
    }

    /// As [`list_group_offsets`](Self::list_group_offsets), of these partitions.
    ///
    /// # Errors
    ///
    /// The coordinator did not answer, or refused.
    pub async fn list_group_offsets_of<T: AsRef<str>>(
        &self,
        group: &str,
        partitions: impl IntoIterator<Item = (T, i32)> + Send,
        require_stable: bool,
    ) -> Result<PerItem<(Str, i32), Option<CommittedOffset>>, AdminError> {
        let partitions = Some(keys(partitions));
        let command = GroupCommand::ListOffsets { group: Str::copy_of(group), partitions, require_stable };
        match self.of_groups(command).await? {
            GroupReply::ListOffsets(offsets) => Ok(offsets),
            _ => Err(unanswered()),
        }
    }

    /// Commits offsets in the place of a group that has no members; one with members refuses each of them with
    /// `UNKNOWN_MEMBER_ID`. A group that does not exist is made.
    ///
    /// # Errors
    ///
    /// The coordinator did not answer, or refused. If the [`effect`](AdminError::effect) is unknown, offsets may have
    /// been committed.
    pub async fn alter_group_offsets<T: AsRef<str>>(
        &self,
        group: &str,
        offsets: impl IntoIterator<Item = ((T, i32), CommittedOffset)> + Send,
    ) -> Result<PerItem<(Str, i32), ()>, AdminError> {
        let offsets = offsets
            .into_iter()
            .map(|((topic, partition), offset)| ((Str::copy_of(topic.as_ref()), partition), offset));
        let command = GroupCommand::AlterOffsets { group: Str::copy_of(group), offsets: offsets.collect() };
        match self.of_groups(command).await? {
            GroupReply::AlterOffsets(offsets) => Ok(offsets),
            _ => Err(unanswered()),
        }
    }

    /// Deletes committed offsets (KIP-496). Those of topics that members subscribe to are refused with
    /// `GROUP_SUBSCRIBED_TO_TOPIC`.
    ///
    /// # Errors
    ///
    /// The coordinator did not answer, or refused. If the [`effect`](AdminError::effect) is unknown, offsets may have
    /// been deleted.
    pub async fn delete_group_offsets<T: AsRef<str>>(
        &self,
        group: &str,
        partitions: impl IntoIterator<Item = (T, i32)> + Send,
    ) -> Result<PerItem<(Str, i32), ()>, AdminError> {
        let partitions = keys(partitions);
        match self.of_groups(GroupCommand::DeleteOffsets { group: Str::copy_of(group), partitions }).await? {
            GroupReply::DeleteOffsets(offsets) => Ok(offsets),
            _ => Err(unanswered()),
        }
    }

    /// Deletes groups and their offsets (KIP-229). One with members is refused with `NON_EMPTY_GROUP`.
    ///
    /// # Errors
    ///
    /// Nothing could be asked. If the [`effect`](AdminError::effect) is unknown, groups may have been deleted.
    pub async fn delete_groups<T: AsRef<str>>(
        &self,
        groups: impl IntoIterator<Item = T> + Send,
    ) -> Result<PerItem<Str, ()>, AdminError> {
        let groups = strings(groups);
        match self.of_groups(GroupCommand::Delete { groups }).await? {
            GroupReply::Delete(groups) => Ok(groups),
            _ => Err(unanswered()),
        }
    }

    /// Makes members leave a classic group (KIP-345). The reason is for the brokers' logs (KIP-800).
    ///
    /// # Errors
    ///
    /// The coordinator did not answer, or refused. If the [`effect`](AdminError::effect) is unknown, members may have
    /// been removed.
    pub async fn remove_members(
        &self,
        group: &str,
        members: impl IntoIterator<Item = MemberName> + Send,
        reason: Option<&str>,
    ) -> Result<PerItem<MemberName, ()>, AdminError> {
        let members = members.into_iter().collect();
        let (group, reason) = (Str::copy_of(group), reason.map(Str::copy_of));
        match self.of_groups(GroupCommand::RemoveMembers { group, members, reason }).await? {
            GroupReply::RemoveMembers(members) => Ok(members),
            _ => Err(unanswered()),
        }
    }

    /// Makes all members leave that a classic group has at the moment: static ones by their names, so that they do
    /// not come back unnoticed under another id.
    ///
    /// # Errors
    ///
    /// As [`remove_members`](Self::remove_members), or the group could not be described.
    pub async fn remove_all_members(
        &self,
        group: &str,
        reason: Option<&str>,
    ) -> Result<PerItem<MemberName, ()>, AdminError> {
        let described = self.describe_groups([group]).await?;
        let description = described.into_values().next().ok_or_else(unanswered)??;
        let names = description
            .members
            .into_iter()
            .map(|member| member.instance_id.map_or(MemberName::Id(member.id), MemberName::Instance));
        let names: Vec<MemberName> = names.collect();
        if names.is_empty() { Ok(PerItem::new()) } else { self.remove_members(group, names, reason).await }
    }

    async fn of_groups(&self, command: GroupCommand) -> Result<GroupReply, AdminError> {
        match self.run(AdminCommand::Groups(command)).await? {
            AdminReply::Groups(reply) => Ok(reply),
            _ => Err(unanswered()),
        }
    }
}

fn keys<T: AsRef<str>>(partitions: impl IntoIterator<Item = (T, i32)>) -> Vec<(Str, i32)> {
    partitions.into_iter().map(|(topic, partition)| (Str::copy_of(topic.as_ref()), partition)).collect()
}
