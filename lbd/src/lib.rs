//! The load-balancer daemon.
