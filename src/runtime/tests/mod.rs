//! The engine with a disk that can be held up and can fail, and with a dispatch that only writes down what is started.
//! No network, no tokio, and no waiting for time: threads are brought to a point by what they say.

mod engine;
mod stand;
