//! What the owner of a program installs: arena, drainer, file sink, salvage.
