//! One type for every request, response and header.

pub(crate) mod api_table;
