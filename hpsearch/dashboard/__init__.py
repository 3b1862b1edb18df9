"""What optuna-dashboard shows of a study beyond trials: a note, plots and artifacts; its server."""
