"""Public statistics: figures that anybody recomputes from the published releases, and the bulletin of each month."""
