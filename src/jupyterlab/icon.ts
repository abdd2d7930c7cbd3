import { LabIcon } from '@jupyterlab/ui-components';

/** Two squares of one shape, the twin a little aside. `jp-icon3` lets the theme colour them. */
const svgstr = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">
  <g class="jp-icon3" fill="#616161">
    <path d="M2.5 1h7A1.5 1.5 0 0 1 11 2.5V4H9.5V2.5h-7v7H4V11H2.5A1.5 1.5 0 0 1 1 9.5v-7A1.5 1.5 0 0 1 2.5 1z"/>
    <path d="M6.5 5h7A1.5 1.5 0 0 1 15 6.5v7a1.5 1.5 0 0 1-1.5 1.5h-7A1.5 1.5 0 0 1 5 13.5v-7A1.5 1.5 0 0 1 6.5 5zm1.2 3.2v1.2h4.6V8.2zm0 2.6V12h4.6v-1.2z"/>
  </g>
</svg>`;

export const twinIcon = new LabIcon({ name: 'torchtwin:twin', svgstr });
