//! Services: what they stand on, what stands on them, and whether they work. What a service is, `org` declares; its
//! incidents are `incident`'s.

pub mod show;
pub mod tree;
