//! `/api/v1/external`.

mod bad_input;
mod calls;
mod health;
mod renew;
mod repeats;
mod scale;
mod subscribers_change;
mod subscribers_create;
mod subscribers_create_refusals;
mod subscribers_list;
mod subscribers_list_search;
mod transactions;
mod usage_and_figures;
mod visibility;
