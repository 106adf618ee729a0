use std::sync::Arc;

use klamm_core::group::TopicPartition;

use super::window::{Found, Slot, Window};

fn at(partition: i32) -> TopicPartition {
    ("t".into(), partition)
}

fn slot(window: &Arc<Window>) -> Option<Slot> {
    match window.look(true)? {
        Found::Slot(slot) => Some(slot),
        Found::Abandoned(..) => None,
    }
}

#[test]
fn there_is_room_for_so_many_and_no_more() {
    let window = Arc::new(Window::new(2));
    let (mut first, second) = (slot(&window).unwrap(), slot(&window).unwrap());
    assert!(window.look(true).is_none(), "those that wait for a record count");
    assert_eq!(window.len(), 0);
    first.fill(at(1));
    assert_eq!(window.len(), 1);
    assert!(window.has_none_of(&[at(0)]) && !window.has_none_of(&[at(0), at(1)]));
    drop(first);
    assert!(window.has_none_of(&[at(1)]) && slot(&window).is_some());
    drop(second);
    assert!(slot(&Arc::new(Window::new(0))).is_some(), "room for one at least");
}

#[test]
fn what_was_abandoned_is_told_first_and_without_room() {
    let window = Arc::new(Window::new(1));
    let mut only = slot(&window).unwrap();
    only.fill(at(3));
    only.abandon(7);
    let told = window.look(false);
    assert!(matches!(told, Some(Found::Abandoned((_, 3), 7))));
    assert!(window.look(true).is_none());
}
