//! Each of the models, in every order. See the library.

use klamm_interleavings as models;

#[test]
fn no_wake_up_is_lost() {
    models::no_wake_up_is_lost();
}

/// What the others would say if they found something.
#[test]
#[should_panic(expected = "deadlock")]
fn a_wait_that_looks_once_loses_its_wake_up() {
    models::without_the_second_look();
}

#[test]
fn many_are_woken() {
    models::many_are_woken();
}

#[test]
fn operations_are_answered() {
    models::operation_is_answered();
}

#[test]
fn mailboxes_are_emptied() {
    models::mailbox_is_emptied();
}

#[test]
fn flags_are_seen() {
    models::woken_flag();
}

#[test]
fn budgets_serve_in_turn() {
    models::budget_serves();
}

#[test]
fn budgets_pass_on_what_nobody_took() {
    models::budget_passes_on();
}
