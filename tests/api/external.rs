//! `/api/v1/external`.

mod health;
mod subscribers_create;
mod subscribers_create_refusals;
mod subscribers_list;
mod subscribers_list_search;
