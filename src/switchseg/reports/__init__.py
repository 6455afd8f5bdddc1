"""Tables, plots and the HTML page, drawn from the files of run directories. Never imports torch."""
