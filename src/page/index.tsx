import { createRoot } from 'react-dom/client';
import { Api } from './api';
import { Page } from './Page';

const root = document.getElementById('torchtwin');
if (root) createRoot(root).render(<Page api={new Api(root.dataset.baseUrl ?? '/')} />);
