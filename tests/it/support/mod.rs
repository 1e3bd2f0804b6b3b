//! Sites, worlds and the binary, so that tests read as sentences:
//!
//! ```ignore
//! let site = Site::of(&[("index.html", "<p>1"), ("app.css", "p{}")]);
//! let world = World::new().await;
//! world.deploy(&site).await.succeeds();   // `unstale deploy DIR --bucket site --endpoint-url ...`
//! world.warm(&site).await;                // asks every URL at every edge
//! site.write("index.html", "<p>2");
//! world.forget();                         // from here on, writes() and purged() count
//! world.deploy(&site).with("--no-wait --json").await.succeeds();
//! assert_eq!(world.purged(), ["/", "/index.html"]);
//! world.assert_deployed(&site, "");       // bucket == build
//! world.assert_fresh(&site, "").await;    // no URL stale at any edge
//! world.assert_settled(&site).await;      // again: no write, no purge
//! ```

mod site;
mod terminal;
mod unstale;
mod world;

pub use site::{Site, fixture};

pub use terminal::Terminal;
pub use unstale::{Ran, Started, Unstale};
pub use world::{BUCKET, Setup, World, url_of};
