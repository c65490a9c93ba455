//! The query scheduler: fair queues per tenant between frontends and queriers.
