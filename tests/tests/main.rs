//! The one integration binary: real ports, real DuckDB files, real clients, a real browser.

mod accounting;
mod address;
mod assets;
mod beside;
mod browser;
mod clients;
mod corpus;
mod dashboard;
mod demo;
mod durability;
mod encodings;
mod first_page;
mod harness;
mod hogs;
mod incidents;
mod operating;
mod otlp;
mod overload;
mod pages;
mod recognisers;
mod saved;
mod serving;
mod settings;
mod shell;
mod transfer;
mod walkthrough;
