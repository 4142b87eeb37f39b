"""Understanding: the components of ``config.yml``. Everything works offline and without a downloaded model."""
