//! Connections to one handler, kept as the host keeps them: one that is free is used again, else one more is opened, up
//! to a limit.

use std::cell::RefCell;
use std::net::SocketAddr;

use tokio::sync::Semaphore;

use crate::support::Try;
use crate::support::client::{Client, Reply, Request};

/// Connections of one pool at most: a process may open 1,024 files on most machines, and the simulator is one with us.
const MOST: usize = 128;

/// The connections of one thread.
#[derive(Debug)]
pub struct Pool {
    address: SocketAddr,
    idle: RefCell<Vec<Client>>,
    places: Semaphore,
}

impl Pool {
    /// None yet.
    pub fn to(address: SocketAddr) -> Self {
        Self {
            address,
            idle: RefCell::default(),
            places: Semaphore::new(MOST),
        }
    }

    /// Asks once, as soon as a connection is free.
    ///
    /// # Errors
    /// When it is not answered.
    pub async fn ask(&self, request: &Request) -> Try<Reply> {
        let _place = self.places.acquire().await?;
        let free = self.idle.borrow_mut().pop();
        let mut client = match free {
            Some(client) => client,
            None => Client::connect(self.address).await?,
        };
        let reply = client.ask(request).await?;
        self.idle.borrow_mut().push(client);
        Ok(reply)
    }
}
