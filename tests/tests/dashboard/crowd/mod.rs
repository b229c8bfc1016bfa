//! Connections that do not get on: slow ones, idle ones, many of them; and requests that are more than they seem.

mod login;
mod many;
mod pictures;
mod server;
mod slow;
