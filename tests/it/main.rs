//! The binary seen from outside: it runs as a child process against a world in the test's own process. A module per capability;
//! `support` builds sites and worlds and runs the binary.

mod deploy;
mod redirects;
mod rollback;
mod sites;
mod support;
