//! The performers against servers and programs of this machine.
