"""Programs that measure; each is started by its path. README.md says what each prints."""
