//! The binary seen from outside: it runs as a child process against a world in the test's own process. A module per capability;
//! `support` builds sites and worlds and runs the binary.

// What tests say is for whoever runs them.
#![allow(clippy::print_stdout, clippy::print_stderr)]
// One binary of modules: nothing in it is for others.
#![allow(unreachable_pub)]

mod agreement;
mod allowance;
mod architecture;
mod bodies;
mod budget;
mod by_hand;
mod by_hand_amiss;
mod charges;
mod configurations;
mod corners;
mod crash;
mod deletes;
mod deploy;
mod diff;
mod doctor;
mod doctor_worlds;
mod documents;
mod early;
mod edge_amiss;
mod edges;
mod errors;
mod existing;
mod explain;
mod faults;
mod function;
mod functions;
mod hints;
mod house;
mod init;
mod input;
mod interrupts;
mod json;
mod keep;
mod links;
mod local;
mod lost;
mod lost_amiss;
mod manual;
mod mishap;
mod moving;
mod order;
mod pages;
mod paths;
mod private;
mod purge;
mod races;
mod redirects;
mod remains;
mod requests;
mod rollback;
mod rules;
mod sequences;
mod served;
mod settings;
mod setup;
mod setup_flags;
mod setup_ways;
mod sites;
mod small;
mod state;
mod store;
mod support;
mod tags;
mod tenants;
mod types;
mod unserved;
mod verify;
mod verify_kinds;
mod watch;
mod words;
