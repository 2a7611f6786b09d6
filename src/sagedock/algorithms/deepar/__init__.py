"""DeepAR: probabilistic forecasts of many series by one recurrent network."""
