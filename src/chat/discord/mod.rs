//! Discord: what Opsbell's words and texts are there. So far the pure part only: the commands as Discord registers
//! them (`register`), and text from outside as inert Markdown (`plain`). Connection, sending and buttons are not here yet.

pub mod plain;
pub mod register;
